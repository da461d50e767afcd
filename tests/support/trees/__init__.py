"""Deployment tools, and the trees that they leave on a host: real ones, and imitations of those that cannot be had."""
