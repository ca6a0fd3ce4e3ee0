"""What tests and users' own tests share: the laws, and generators of Programs to try them on."""
