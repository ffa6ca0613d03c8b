"""Say how large and certain segments are, what sets them apart, and why a row is in one."""
