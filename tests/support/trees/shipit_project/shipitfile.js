module.exports = shipit => {
  require('shipit-deploy')(shipit)
  shipit.initConfig({
    default: {
      deployTo: process.env.DEPLOY_TO,
      repositoryUrl: process.env.REPOSITORY,
      branch: 'main',
      deploy: process.env.BREAK_OFF ? { remoteCopy: { rsync: '--rsync-path=false' } } : undefined,
    },
    prod: { servers: process.env.SERVERS || 'root@localhost' },
  })
  shipit.on('updated', () => shipit.start('mark-deployed'))
  shipit.on('published', () => shipit.start('restart'))
  shipit.blTask('mark-deployed', () => shipit.remote(`touch ${shipit.releasePath}/.deployed-${shipit.releaseDirname}`))
  shipit.blTask('restart', () => shipit.remote(process.env.RESTART))
}
