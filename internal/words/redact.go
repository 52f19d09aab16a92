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
	{[]string{"glpat-", "npm_", "sk_live_", "rk_live_", "hf_", "dop_v1_", "GOCSPX-", "pypi-AgE", "dckr_pat_", "hvs.", "AGE-SECRET-KEY-1", "sk-ant-", "sk-proj-", "SG."},
		regexp.MustCompile(`\b(?:glpat-|npm_|[sr]k_live_|hf_|dop_v1_|GOCSPX-|pypi-AgE|dckr_pat_|hvs\.|AGE-SECRET-KEY-1|sk-(?:ant|proj)-|SG\.[0-9A-Za-z_-]{16,}\.)[0-9A-Za-z_-]{16,}`), Redacted},
	{[]string{"asswor", "ASSWOR", "asswd", "pi_key", "pi-key", "piKey", "PI_KEY", "client_secret", "ecret_access_key", "ECRET_ACCESS_KEY", "_token", "_TOKEN"},
		regexp.MustCompile(`(?i)((?:password|passwd|api[_-]?key|client_secret|secret_access_key|(?:access|refresh|session|auth)_token)(?:=["']?|\\?"\s*:\s*\\?"))[^\s"'\\&,;<>]{6,}`), "${1}" + Redacted},
	{[]string{"://"}, regexp.MustCompile(`([A-Za-z][0-9A-Za-z+.-]{0,20}://)[^\s/?#"'<>:]*:[^\s/?#"'<>]+@`), "${1}" + Redacted + "@"},
}

// Redact is s with the secrets of well-known shapes replaced: tokens of Slack, AWS, Google, GitHub and others, JWTs, PEM blocks, bearer and
// basic credentials, passwords in URLs and behind their name, numbers of payment cards. It takes time linear in s, nothing of s is copied
// where nothing is found, and doing it twice changes nothing more.
func Redact(s string) string {
	if found := hinted(s); found != 0 {
		for i := range secrets {
			if found&(1<<i) != 0 {
				s = secrets[i].pattern.ReplaceAllString(s, secrets[i].with)
			}
		}
	}
	return withoutCards(s)
}

// clue is a key, and which secret it is of.
type clue struct {
	key    string
	secret int
}

// clues are the keys by their first two bytes, begins says of which there are any: one look at each byte of a text finds what may be in it.
var clues, begins = func() (by map[int][]clue, set [1 << 10]uint64) {
	by = map[int][]clue{}
	for i := range secrets {
		for _, key := range secrets[i].keys {
			at := pair(key)
			by[at] = append(by[at], clue{key, i})
			set[at/64] |= 1 << (at % 64)
		}
	}
	return by, set
}()

// pair is the first two bytes of a text as a number.
func pair(s string) int { return int(s[0])<<8 | int(s[1]) }

// hinted are the secrets whose keys a text holds, a bit each.
func hinted(s string) (found uint64) {
	for i := 0; i+1 < len(s); i++ {
		at := pair(s[i:])
		if begins[at/64]&(1<<(at%64)) == 0 {
			continue
		}
		for _, h := range clues[at] {
			if strings.HasPrefix(s[i:], h.key) {
				found |= 1 << h.secret
			}
		}
	}
	return found
}

// Excerpt is text of a log as it may be kept and shown: Redact, and the mail addresses of people replaced. What people write, and the names
// under which they act, are no log: of those only Redact is asked.
func Excerpt(s string) string {
	s = Redact(s)
	if !strings.Contains(s, "@") {
		return s
	}
	return address.ReplaceAllStringFunc(s, func(found string) string {
		local, domain, _ := strings.Cut(found, "@")
		last := domain[strings.LastIndexByte(domain, '.')+1:]
		if local == "git" || unit[last] || strings.HasSuffix(domain, ".gserviceaccount.com") {
			return found
		}
		return Redacted
	})
}

var (
	address = regexp.MustCompile(`\b[0-9A-Za-z._%+-]{1,64}@(?:[0-9A-Za-z-]{1,63}\.){1,8}[A-Za-z]{2,24}\b`)
	// unit are what systemd's names end in, such as getty@tty1.service.
	unit = map[string]bool{"service": true, "socket": true, "timer": true, "mount": true, "slice": true, "scope": true, "target": true, "device": true, "path": true}
)
