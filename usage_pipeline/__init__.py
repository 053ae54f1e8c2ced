"""What Amazon Bedrock models use, what limits them, and how far the limits are."""
