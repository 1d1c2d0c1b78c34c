"""What is to be: pure functions from configuration to data. Nothing here touches a disk or a process."""
