package main

func measureRates(b *bench) error      { return nil }
func measureSSH(b *bench) error        { return nil }
func measureMemory(b *bench) error     { return nil }
func measureOpen(b *bench) error       { return nil }
func measureThroughput(b *bench) error { return nil }
func measureSizes(b *bench) error      { return nil }
