package setting

// Finding is what somebody has found who looked whether something that is set can work.
type Finding struct {
	// Level is Fine, Doubtful or Broken.
	Level Level `json:"level"`
	// About is what was looked at: "source prow-logs", "receiver oncall".
	About string `json:"about"`
	// Text says what is, Mend what to do about it; empty if nothing.
	Text string `json:"text"`
	Mend string `json:"mend,omitempty"`
}

// Level is how bad a Finding is, as it is printed.
type Level string

// The levels of a Finding.
const (
	Fine     Level = "ok"
	Doubtful Level = "warn" // it works, but not all of it or not for long; or it could not be looked at
	Broken   Level = "fail" // it does not work
)
