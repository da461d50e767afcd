require "mina/deploy"
require "mina/git"

# Debian has the template of the deploy script among the examples.
def Mina.root_path(*parts)
  File.join("/usr/share/doc/mina/examples", File.basename(parts.last))
end

set :domain, "localhost"
set :term_mode, :system
set :deploy_to, ENV.fetch("DEPLOY_TO")
set :repository, ENV.fetch("REPOSITORY").to_s
set :branch, "main"

task(:environment) {}

task deploy: :environment do
  deploy do
    invoke :"git:clone"
    queue "kill -KILL $$" if ENV["BREAK_OFF"]
    queue "touch .deployed"
    invoke :"deploy:cleanup"
    to(:launch) { queue ENV.fetch("RESTART") }
  end
end
