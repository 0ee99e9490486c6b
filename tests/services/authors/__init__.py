"""Tests of authors: what they are told."""
