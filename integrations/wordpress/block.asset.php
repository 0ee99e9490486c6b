<?php

defined('ABSPATH') || exit;
return ['dependencies' => ['wp-blocks', 'wp-element', 'wp-block-editor'], 'version' => '0.1.0'];
