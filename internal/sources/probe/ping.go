package probe

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // GitHub's older signature is SHA-1
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"tocsin/internal/setting"
)

type pingBody struct {
	Zen          string     `json:"zen"`
	HookID       int        `json:"hook_id"`
	Hook         pingHook   `json:"hook"`
	Repository   *pingRepo  `json:"repository,omitempty"`
	Organization *pingOwner `json:"organization,omitempty"`
	Sender       pingOwner  `json:"sender"`
}

type pingHook struct {
	Type   string            `json:"type"`
	ID     int               `json:"id"`
	Name   string            `json:"name"`
	Active bool              `json:"active"`
	Events []string          `json:"events"`
	Config map[string]string `json:"config"`
}

type pingRepo struct {
	Name     string    `json:"name"`
	FullName string    `json:"full_name"`
	Owner    pingOwner `json:"owner"`
}

type pingOwner struct {
	Login string `json:"login"`
}

// body is the ping as GitHub words it.
func (p *Ping) body(url string) ([]byte, error) {
	b := pingBody{
		Zen:    "Anything added dilutes everything else.",
		HookID: 1,
		Hook: pingHook{Type: "Organization", ID: 1, Name: "web", Active: true, Events: []string{"*"},
			Config: map[string]string{"content_type": "json", "insecure_ssl": "0", "url": url}},
		Sender: pingOwner{Login: "tocsin-probe"},
	}
	organization := p.Organization
	if owner, name, ok := strings.Cut(p.Repository, "/"); ok {
		b.Hook.Type = "Repository"
		b.Repository = &pingRepo{Name: name, FullName: p.Repository, Owner: pingOwner{Login: owner}}
		if organization == "" {
			organization = owner
		}
	}
	if organization != "" {
		b.Organization = &pingOwner{Login: organization}
	}
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("write ping: %w", err)
	}
	return text, nil
}

// sign sets the headers of a webhook's delivery.
func (p *Ping) sign(h http.Header, body []byte) error {
	secret, err := setting.ReadSecret(p.SecretFile)
	if err != nil {
		return err
	}
	sum := func(algorithm func() hash.Hash) string {
		mac := hmac.New(algorithm, []byte(secret.Reveal()))
		mac.Write(body)
		return hex.EncodeToString(mac.Sum(nil))
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-GitHub-Event", "ping")
	h.Set("X-GitHub-Delivery", uuid.NewString())
	h.Set("X-Hub-Signature", "sha1="+sum(sha1.New))
	h.Set("X-Hub-Signature-256", "sha256="+sum(sha256.New))
	return nil
}
