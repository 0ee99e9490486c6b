"""Authors: who they are, how they log in, and the record of what they do on their pages."""
