"""Kinesis through boto3."""
