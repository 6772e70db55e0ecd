"""What reads bytes that others wrote, in one table: fed by hypothesis in the suite, by coverage in
`scripts/soak --only fuzz`."""
