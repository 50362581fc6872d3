"""The programs that start, guard and watch the services of a role."""
