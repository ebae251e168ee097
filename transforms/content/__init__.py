"""Blocks of e-mail: written once in Liquid, said in each platform's own syntax, rendered for one person. Pure."""
