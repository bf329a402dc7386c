"""What must not break: processes that die, disks that fill, bytes that flip, many who write at once."""
