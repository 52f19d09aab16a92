package access

import (
	"context"
	"errors"

	"github.com/coreos/go-oidc/v3/oidc"
)

// IAP is Google's Identity-Aware Proxy in front of tocsin: it signs who has signed in there.
type IAP struct {
	// Audience is the backend service, as /projects/NUMBER/global/backendServices/ID: what is signed for another is not for us.
	Audience string
}

// iapHeader is where the proxy puts its assertion. Who reaches tocsin past the proxy can set it too, so its signature is what counts.
const iapHeader = "X-Goog-Iap-Jwt-Assertion"

// Who signs, and with what keys (https://cloud.google.com/iap/docs/signed-headers-howto).
const (
	iapIssuer = "https://cloud.google.com/iap"
	iapKeys   = "https://www.gstatic.com/iap/verify/public_key-jwk"
)

// verifier checks a signed identity.
type verifier interface {
	Verify(ctx context.Context, raw string) (*oidc.IDToken, error)
}

// newIAP makes a verifier that fetches the proxy's keys when they are first needed, keeps them, and looks again for one that it does not know.
func (g *Gate) newIAP() verifier {
	ctx := oidc.ClientContext(context.Background(), g.Client)
	return oidc.NewVerifier(iapIssuer, oidc.NewRemoteKeySet(ctx, iapKeys),
		&oidc.Config{ClientID: g.IAP.Audience, SupportedSigningAlgs: []string{oidc.ES256}, Now: g.Now})
}

// byIAP is whoever the proxy has signed for.
func (g *Gate) byIAP(ctx context.Context, assertion string) (Identity, error) {
	token, err := g.iap.Verify(ctx, assertion)
	if err != nil {
		return Identity{}, g.refuse(ctx, "what the Identity-Aware Proxy has signed", err)
	}
	var claims struct {
		Email string `json:"email"`
	}
	if err = token.Claims(&claims); err == nil && (claims.Email == "" || len(claims.Email) > 200) {
		err = errors.New("it names nobody")
	}
	if err != nil {
		return Identity{}, g.refuse(ctx, "what the Identity-Aware Proxy has signed", err)
	}
	return g.person(claims.Email, "iap", nil), nil
}
