"""Programs of the original clients' users, and the servers that they find."""
