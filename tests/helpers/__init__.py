"""What tests of several subjects share: writing facts, calling the API, running programs, reading the pages."""
