"""Servers, clients, clocks and tables that several test modules share."""
