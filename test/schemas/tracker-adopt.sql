select sync.track('tracker.projects', name => 'project', space => 'id', columns => array['id', 'title', 'owner_id', 'updated_at'],
  stamp => 'updated_at');
select sync.track('tracker.tasks', name => 'task', spaces => array['project_id', 'assignee_id'], writable => true,
  columns => array['id', 'project_id', 'assignee_id', 'title', 'status', 'points', 'hours', 'tags', 'slug', 'is_big']);
select sync.track('tracker.comments', name => 'comment', space => 'task_id',
  columns => array['id', 'task_id', 'author_id', 'body', 'updated_at']);
call sync.fill('project');
call sync.fill('task');
call sync.fill('comment');
