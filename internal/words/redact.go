package words

import (
	"regexp"
	"strings"
)

// Redacted stands where a secret was.
const Redacted = "<redacted>"

// secret is one shape of secrets. Its pattern is only run over text that holds one of its keys, and Go's patterns take time
// linear in the text, so a hostile line costs no more than its length.
type secret struct {
	keys    []string
	pattern *regexp.Regexp
	with    string
}

// secrets are the shapes that must not leave. A PEM block that was cut off is a secret up to the end of the text; inside JSON
// its line breaks are the two characters \n.
var secrets = []secret{
	{[]string{"-----BEGIN"}, regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{1,40}-----(?s:.*?)(?:-----END [A-Z0-9 ]{1,40}-----|$)`), Redacted},
	{[]string{"xox", "xapp-", "xwfp-"}, regexp.MustCompile(`\b(?:xox[a-z]|xapp|xwfp)(?:\.xox[a-z])?-[0-9A-Za-z-]{6,}`), Redacted},
	{[]string{"hooks.slack.com"}, regexp.MustCompile(`(hooks\.slack\.com/(?:services|workflows|triggers)/)[0-9A-Za-z/_-]+`), "${1}" + Redacted},
	{[]string{"AKIA", "ASIA"}, regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`), Redacted},
	{[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, regexp.MustCompile(`\b(?:gh[pousr]_[0-9A-Za-z]{16,}|github_pat_[0-9A-Za-z_]{20,})`), Redacted},
	{[]string{"eyJ"}, regexp.MustCompile(`\beyJ[0-9A-Za-z_-]{5,}\.[0-9A-Za-z_-]{5,}(?:\.[0-9A-Za-z_-]*)?`), Redacted},
	{[]string{"ya29."}, regexp.MustCompile(`\bya29\.[0-9A-Za-z_-]{10,}`), Redacted},
	{[]string{"AIza"}, regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{30,}`), Redacted},
	{[]string{"earer", "EARER"}, regexp.MustCompile(`(?i)\b(bearer(?:\s+|:\s*|%20))[0-9A-Za-z._~+/-]{8,}=*`), "${1}" + Redacted},
	{[]string{"asic ", "ASIC "}, regexp.MustCompile(`(?i)\b(authorization"?\s*[:=]\s*"?basic\s+)[0-9A-Za-z+/]{6,}=*`), "${1}" + Redacted},
	{[]string{"://"}, regexp.MustCompile(`([A-Za-z][0-9A-Za-z+.-]{0,20}://)[^\s/?#"'<>:]*:[^\s/?#"'<>]+@`), "${1}" + Redacted + "@"},
}

// Redact is s with the secrets of well-known shapes replaced: tokens of Slack, AWS, Google and GitHub, JWTs, PEM blocks, bearer
// and basic credentials, passwords in URLs. It takes time linear in s, and doing it twice changes nothing more.
func Redact(s string) string {
	for i := range secrets {
		for _, key := range secrets[i].keys {
			if strings.Contains(s, key) {
				s = secrets[i].pattern.ReplaceAllString(s, secrets[i].with)
				break
			}
		}
	}
	return s
}
