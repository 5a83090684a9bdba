"""Handing messages to a relay and never losing one: ledger, mailer, transports, doctor."""
