<?php

/**
 * Settings > Newsletter. The token is stored and never shown again.
 */

defined('ABSPATH') || exit;

/**
 * Return the token to store: the one that was typed, the old one where nothing was, none on request.
 *
 * In an array, because wp-admin/options.php shows every setting that is a text.
 */
function newsletter_door_store_token($typed): array
{
    if ($typed === 'remove') {
        return [];
    }
    $typed = is_array($typed) ? $typed['token'] ?? '' : $typed; // WordPress cleans a new one twice
    $token = newsletter_door_clean_token($typed);
    return ['token' => $token !== '' ? $token : newsletter_door_token()];
}

add_action('admin_init', function (): void {
    register_setting('newsletter_door', NEWSLETTER_DOOR_OPTION, ['sanitize_callback' => 'newsletter_door_clean']);
    register_setting('newsletter_door', NEWSLETTER_DOOR_TOKEN, ['sanitize_callback' => 'newsletter_door_store_token', 'show_in_rest' => false]);
});

add_action('admin_menu', function (): void {
    $title = __('Newsletter', 'newsletter-door');
    add_options_page($title, $title, 'manage_options', 'newsletter-door', 'newsletter_door_page');
});

function newsletter_door_page(): void
{
    if (!current_user_can('manage_options')) {
        return;
    }
    $settings = newsletter_door_settings();
    echo '<div class="wrap"><h1>' . esc_html__('Newsletter', 'newsletter-door') . '</h1>';
    if (isset($_POST['newsletter_door_test']) && check_admin_referer('newsletter_door_test')) {
        $problem = newsletter_door_check();
        printf(
            '<div class="notice notice-%s" role="status"><p>%s</p></div>',
            $problem === '' ? 'success' : 'error',
            esc_html($problem === '' ? __('The installation answers.', 'newsletter-door') : $problem)
        );
    }
    echo '<form method="post" action="options.php">';
    settings_fields('newsletter_door');
    foreach (['url' => __('Address', 'newsletter-door'), 'list' => __('List', 'newsletter-door')] as $name => $label) {
        printf(
            '<p><label>%s<br><input class="regular-text" name="%s[%s]" value="%s"></label></p>',
            esc_html($label),
            esc_attr(NEWSLETTER_DOOR_OPTION),
            esc_attr($name),
            esc_attr($settings[$name])
        );
    }
    $stored = newsletter_door_token() !== '';
    printf(
        '<p><label>%s<br><input class="regular-text" type="password" autocomplete="off" name="%s" value="" placeholder="%s"></label><br>%s</p>',
        esc_html__('Token (scope publish)', 'newsletter-door'),
        esc_attr(NEWSLETTER_DOOR_TOKEN),
        esc_attr($stored ? __('stored', 'newsletter-door') : 'nlt_...'),
        esc_html(
            $stored
                ? __('Leave it empty to keep the stored one; type "remove" to forget it.', 'newsletter-door')
                : __('Shows what becomes of each post, and sends one as a newsletter.', 'newsletter-door')
        )
    );
    submit_button();
    echo '</form><form method="post">';
    wp_nonce_field('newsletter_door_test');
    submit_button(__('Test the connection', 'newsletter-door'), 'secondary', 'newsletter_door_test');
    echo '</form></div>';
}
