package logs

import "time"

// Cursor says where in a source to go on. Only the source that made it can read it; everybody else stores it and hands it
// back. The empty cursor is the beginning.
type Cursor string

// Form is how the bytes of a batch are to be read.
type Form int

const (
	// Lines is text of any of the forms that files hold, whole lines: LogEntry JSON, a plain JSON log line, plain text.
	Lines Form = iota
	// Proto is a length-delimited run of google.logging.v2.LogEntry messages, each preceded by its size as a varint.
	Proto
)

// OwnSource is the name of the source of tocsin's own troubles. No other may have it, and of what it reads only rules are asked that
// name it: what tocsin says of itself must not set off a rule that was written for somebody else's log.
const OwnSource = "tocsin"

// Batch is what came from a source, as it came and not yet parsed.
type Batch struct {
	// Source is the name of the source in the configuration.
	Source string
	Form   Form
	// Data holds whole entries; the receiver owns it.
	Data []byte
	// Offset is where Data begins in what the source reads (bytes in a file, a running number elsewhere). With Source and
	// File it identifies entries that have no insertId.
	Offset int64
	// File is the file Data was read from; empty for a source without files.
	File string
	// Cursor is where to go on once this batch is committed. Empty says that the batch does not move it.
	Cursor Cursor
	// Received is when the source had the bytes.
	Received time.Time
	// CaughtUp says that nothing newer was waiting when the batch was cut, so that the source's clock may follow the wall
	// clock until the next batch. A batch without Data may carry only this.
	CaughtUp bool
	// Blind says that the source cannot see what it watches at the moment (its control target fails too, access was taken).
	Blind bool
	// Backlog says that the entries are of a time that was not watched as it happened: before the start, or while the source was blind.
	Backlog bool
	// Passed is how many entries came beside Data and were left out: they had been handed on before, or will be read again.
	Passed int
	// Sifted is how many entries were read beside Data and left out because no rule asks for them, SiftedBroken how many of these
	// were broken: a batch of a source that several processes read, each of which sifts its part.
	Sifted, SiftedBroken int
	// Watermark, if set, is up to when all has come where that is before the source's clock: another process still reads what is
	// older.
	Watermark time.Time
	// Committed, if set, is called once after the transaction that holds the batch's outcome has been committed.
	Committed func()
}
