"""The colorization Turing test: its design, the page that runs it, what its result files say."""
