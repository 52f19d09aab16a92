package logs

import "strings"

// Severity is a LogEntry's severity with the numbers that Cloud Logging gives it, so that two compare as its query
// language compares them. A number between two names is kept as it came.
type Severity int

// The severities of google.logging.type.LogSeverity.
const (
	Default   Severity = 0
	Debug     Severity = 100
	Info      Severity = 200
	Notice    Severity = 300
	Warning   Severity = 400
	Error     Severity = 500
	Critical  Severity = 600
	Alert     Severity = 700
	Emergency Severity = 800
)

var severities = map[string]Severity{
	"DEFAULT": Default, "DEBUG": Debug, "INFO": Info, "NOTICE": Notice, "WARNING": Warning,
	"ERROR": Error, "CRITICAL": Critical, "ALERT": Alert, "EMERGENCY": Emergency,
}

// severityNames are the severities' names by their number's hundreds.
var severityNames = [...]string{"DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"}

// ParseSeverity reads a severity's name in any case. It says false for what is no name of the enum.
func ParseSeverity(name string) (Severity, bool) {
	for i, capitals := range severityNames {
		if sameLetters(name, capitals) {
			return Severity(100 * i), true
		}
	}
	if plainASCII(name) {
		return 0, false
	}
	s, ok := severities[strings.ToUpper(name)]
	return s, ok
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// sameLetters says whether name is the capitals in any case.
func sameLetters(name, capitals string) bool {
	if len(name) != len(capitals) {
		return false
	}
	for i := range len(name) {
		if name[i]&^0x20 != capitals[i] {
			return false
		}
	}
	return true
}

// upperInto appends name in capitals to b; false if that is not short ASCII. It allocates nothing.
func upperInto(b []byte, name string) ([]byte, bool) {
	if len(name) > cap(b) {
		return nil, false
	}
	for i := range len(name) {
		c := name[i]
		if c >= 0x80 {
			return nil, false
		}
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		b = append(b, c)
	}
	return b, true
}
