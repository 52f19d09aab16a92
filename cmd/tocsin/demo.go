package main

import "errors"

type demoCommand struct{}

// Run is on its way.
func (demoCommand) Run() error { return errors.New("not there yet") }
