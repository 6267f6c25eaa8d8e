package main

func billed(*lab, int) ([]figure, error) { return nil, nil }
