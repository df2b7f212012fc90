"""Tests of smartxfer."""
