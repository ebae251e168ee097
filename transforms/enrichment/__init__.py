"""Attributes that others know, joined to profiles that agreed to it. Pure."""
