"""Readers of the formats that several sources share: HTML, JSON, XML."""
