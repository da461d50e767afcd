set :application, "shop"
set :repo_url, ENV.fetch("REPOSITORY")
set :branch, "main"
set :deploy_to, ENV.fetch("DEPLOY_TO")
set :format_options, log_file: nil, color: false

namespace :deploy do
  task :mark_deployed do
    on(release_roles(:all)) { execute :touch, release_path.join(".deployed") }
  end
  task :restart do
    on(release_roles(:all)) { execute ENV.fetch("RESTART") }
  end
  task(:break_off) { Process.kill(:KILL, Process.pid) }
end

before "deploy:updated", "deploy:break_off" if ENV["BREAK_OFF"]
after "deploy:updated", "deploy:mark_deployed"
after "deploy:publishing", "deploy:restart"
