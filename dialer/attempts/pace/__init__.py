"""How fast calls and requests may leave: limits that hold in any sliding window, over all workers."""
