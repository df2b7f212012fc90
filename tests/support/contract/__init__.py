"""The services as the contract suite reaches them."""
