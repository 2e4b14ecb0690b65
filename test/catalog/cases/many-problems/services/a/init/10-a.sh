no shebang
