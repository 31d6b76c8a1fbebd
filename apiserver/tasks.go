package apiserver

import "net/http"

func (s *Server) taskRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, "/repos/{owner}/{repo}/actions/tasks", anyReader(), listTasks},
	}
}

func listTasks(c *call) error {
	page := c.page()
	tasks, total, err := c.server.DB.Tasks(c.ctx(), c.repo.ID, page)
	if err != nil {
		return err
	}
	out := apiTaskList{WorkflowRuns: make([]*apiTask, len(tasks)), TotalCount: total}
	for i, t := range tasks {
		out.WorkflowRuns[i] = showTask(c.server.rootURL(c.r), t, c.repo)
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, out)
}
