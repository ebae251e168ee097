"""HTTP of the commands that run beside the job: who asks, what is asked again, and how pages are walked through."""
