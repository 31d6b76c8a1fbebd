package apiserver

import (
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/hook"
)

func listDeliveries(c *call, scope db.HookScope) error {
	h, err := c.hook(scope)
	if err != nil {
		return err
	}
	page := c.page()
	list, total, err := c.server.DB.Deliveries(c.ctx(), h.ID, page)
	if err != nil {
		return err
	}
	out := make([]*apiDelivery, len(list))
	for i, d := range list {
		out[i] = showDelivery(d)
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, out)
}

// delivery is the one that the path names.
func (c *call) delivery(scope db.HookScope) (*db.HookDelivery, error) {
	h, err := c.hook(scope)
	if err != nil {
		return nil, err
	}
	return c.server.DB.DeliveryOf(c.ctx(), h.ID, c.id("delivery_id"))
}

func getDelivery(c *call, scope db.HookScope) error {
	d, err := c.delivery(scope)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, showWholeDelivery(d))
}

// redeliver sends the same message again, with the same id, as a delivery of its own.
func redeliver(c *call, scope db.HookScope) error {
	d, err := c.delivery(scope)
	if err != nil {
		return err
	}
	again := &db.HookDelivery{
		HookID: d.HookID, GUID: d.GUID, IsRedelivery: true, Event: d.Event, Action: d.Action, RepoID: d.RepoID, Payload: d.Payload,
		State: db.DeliveryPending,
	}
	if err := c.server.DB.AddDelivery(c.ctx(), again); err != nil {
		return err
	}
	return c.json(http.StatusAccepted, showDelivery(again))
}

// apiPing is the message of a test, as GitHub's.
type apiPing struct {
	Zen          string           `json:"zen"`
	HookID       int64            `json:"hook_id"`
	Hook         *apiHook         `json:"hook"`
	Organization *apiOrganization `json:"organization,omitempty"`
	Repository   *apiRepository   `json:"repository,omitempty"`
	Sender       *apiUser         `json:"sender"`
}

// testHook sends a ping, also if the webhook is switched off. What came of it is among the deliveries.
func testHook(c *call, scope db.HookScope) error {
	h, err := c.hook(scope)
	if err != nil {
		return err
	}
	root := c.server.rootURL(c.r)
	ping := apiPing{
		Zen: "Work done is never undone.", HookID: h.ID, Hook: c.server.showHook(h), Sender: showUser(root, c.caller.user, nil),
	}
	if c.repo != nil {
		ping.Organization, ping.Repository = hookOrganization(c.repo), showRepository(root, c.repo, nil, hookAccess)
	} else if c.org != nil {
		ping.Organization = showOrganization(c.org)
	}
	body, err := json.Marshal(ping)
	if err != nil {
		return err
	}
	d := &db.HookDelivery{HookID: h.ID, GUID: uuid.New(), Event: hook.EventPing, RepoID: scope.RepoID, Payload: string(body)}
	if err := c.server.DB.AddDelivery(c.ctx(), d); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
