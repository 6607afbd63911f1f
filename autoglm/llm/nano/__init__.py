"""A GLM that runs on numpy alone: network, tokenizer and the engine over both."""
