"""Outcomes -> tables: frames, exports, progress, and the audit that proves what dialer promises."""
