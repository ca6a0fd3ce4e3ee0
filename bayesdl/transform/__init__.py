"""Program → Program where the meaning changes: derivatives and batching."""
