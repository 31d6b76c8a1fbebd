package apiserver

import "net/http"

func (s *Server) taskRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, "/repos/{owner}/{repo}/actions/tasks", anyReader(), listTasks},
	}
}

func listTasks(c *call) error {
	page, err := c.seekPage(cursorOfTasks)
	if err != nil {
		return err
	}
	tasks, l, err := c.server.DB.Tasks(c.ctx(), c.repo.ID, page)
	if err != nil {
		return err
	}
	out := apiTaskList{WorkflowRuns: make([]*apiTask, len(tasks)), apiListed: c.listed(cursorOfTasks, page, l)}
	for i, t := range tasks {
		out.WorkflowRuns[i] = showTask(c.server.rootURL(c.r), t, c.repo)
	}
	return c.json(http.StatusOK, out)
}
