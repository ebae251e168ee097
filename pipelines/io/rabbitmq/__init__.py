"""RabbitMQ through pika."""
