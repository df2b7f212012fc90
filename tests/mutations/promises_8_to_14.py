"""Mutations that break promises 8 to 14."""

from __future__ import annotations

from typing import List

from .mutation import Mutation

MUTATIONS: List[Mutation] = []
