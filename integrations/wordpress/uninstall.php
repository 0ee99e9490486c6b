<?php
defined('WP_UNINSTALL_PLUGIN') || exit;
delete_option('newsletter_door');
delete_post_meta_by_key('_newsletter_door_skip');
