package main

// Programs that mean harm, or that a mistake made: each must end in an outcome, in bounded time and memory.
// tests/bad_guests.rs says in which. None of them is run natively.

func init() {
	// The linker keeps what is mentioned.
	sink = []interface{}{
		smash, wild, wildReturn, text, farString, farSlice, farInterface, farFunc, farMap, nilCall,
		tera, giga, gigas, doubled, entries, channels, bomb, forks, deepGoroutines,
		spin, selecting, ticking, timers, sleeping, yielding, printing, writing,
		recursing, deferring, panicking, unlocked, unheld, waiting, noMain, exiting,
		killed, executed, opened, dialled, locked,
	}
}

var sink interface{}

func showOwn(interface{}) string { return "" }
