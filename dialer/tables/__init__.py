"""Outcomes -> tables: frames, exports, progress, audit."""
