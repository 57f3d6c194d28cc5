"""Work of a build over the machines of a Spark cluster, by the code that also runs without one."""
