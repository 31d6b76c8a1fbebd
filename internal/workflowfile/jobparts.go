package workflowfile

// The parts of a job that only the runner reads. Their kinds are checked here all the same: the user hears
// of a mistake with its place, and the runner never gets a value that it cannot decode.

func (p *parser) defaults(n *node) *node {
	run := p.mapping(p.mapping(n, "defaults").get("run"), "defaults.run")
	if run == nil {
		return nil
	}
	p.scalar(run.get("shell"), "defaults.run.shell")
	p.scalar(run.get("working-directory"), "defaults.run.working-directory")
	out := newMap()
	out.set("run", pick(run, "shell", "working-directory"))
	return out
}

// permissions are `read-all`, `write-all` or a mapping (execution-semantics.md §11). Words that mean
// nothing are tolerated there.
func (p *parser) permissions(n *node) *node {
	if n == nil || n.isScalar() {
		return n
	}
	return p.scalars(n, "permissions")
}

// container is an image, or a mapping.
func (p *parser) container(n *node, what string) *node {
	if n == nil || n.isScalar() {
		return n
	}
	if p.mapping(n, what) == nil {
		return nil
	}
	p.scalar(n.get("image"), what+".image")
	p.scalar(n.get("options"), what+".options")
	p.scalars(n.get("env"), what+".env")
	p.scalars(n.get("credentials"), what+".credentials")
	p.list(n.get("ports"), what+".ports")
	p.list(n.get("volumes"), what+".volumes")
	p.list(n.get("cmd"), what+".cmd")
	return pick(n, "image", "env", "ports", "volumes", "options", "credentials", "cmd")
}

func (p *parser) services(n *node) *node {
	if p.mapping(n, "services") == nil {
		return nil
	}
	out := newMap()
	for i, k := range n.keys {
		what := "services." + k.text
		if n.items[i].kind != mapNode {
			p.wrongKind(n.items[i], what, "a mapping with `image`")
			continue
		}
		out.set(k.text, p.container(n.items[i], what))
	}
	return out
}
