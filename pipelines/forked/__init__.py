"""Worker processes of a local job that are forked, with everything imported, instead of started one by one."""
